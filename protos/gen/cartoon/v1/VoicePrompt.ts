// Original file: cartoon/v1/render.proto


export interface VoicePrompt {
  'character'?: (string);
  'audio_url'?: (string);
  'transcript'?: (string);
}

export interface VoicePrompt__Output {
  'character': (string);
  'audio_url': (string);
  'transcript': (string);
}
