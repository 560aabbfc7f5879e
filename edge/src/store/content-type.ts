const TYPES: Record<string, string> = {
  ".mp4": "video/mp4",
  ".gif": "image/gif",
  ".wav": "audio/wav",
  ".png": "image/png",
  ".webp": "image/webp",
  ".vtt": "text/vtt; charset=utf-8",
  ".json": "application/json",
};

/** The media type of a stored object by its name; uploads never choose the type that browsers see. */
export function contentTypeOf(key: string): string {
  const dot = key.lastIndexOf(".");
  return (dot < 0 ? undefined : TYPES[key.slice(dot)]) ?? "application/octet-stream";
}
