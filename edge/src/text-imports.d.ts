declare module "*.css" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
declare module "*.svg" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
declare module "*/form.js" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
declare module "*/storyboard.js" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
