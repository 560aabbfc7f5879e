declare module "*.sql" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: a text import is typed that way
  export default text;
}
