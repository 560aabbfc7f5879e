// Original file: cartoon/v1/node.proto


export interface UploadTarget {
  /**
   * clip.mp4, clip.gif, speech.wav, poster.png, captions.vtt, manifest.json
   */
  'name'?: (string);
  'put_url'?: (string);
  'content_type'?: (string);
  'headers'?: ({[key: string]: string});
}

export interface UploadTarget__Output {
  /**
   * clip.mp4, clip.gif, speech.wav, poster.png, captions.vtt, manifest.json
   */
  'name': (string);
  'put_url': (string);
  'content_type': (string);
  'headers': ({[key: string]: string});
}
