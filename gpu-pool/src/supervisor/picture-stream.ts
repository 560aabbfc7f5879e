import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { RenderSpec } from "@cartoon/protos";
import type { RunRequest__Output } from "@cartoon/protos/gen/RunRequest";
import { type Fit, type Frames, PictureTrack, shown } from "../media/index.ts";
import type { FrameFile } from "../runner/messages.ts";

export interface PictureStreamOptions {
  ffmpeg: string;
  folder: string;
  /** Pixels of the result. */
  size: { width: number; height: number };
  signal: AbortSignal;
}

/** A picture track that has every frame. */
export interface Picture {
  file: string;
  seconds: number;
}

/** A clip whose frames go to the encoder. */
interface Following {
  frames: FrameFile;
  track: PictureTrack;
  output: string;
  /** Frames that the encoder has been given, in the order of the clip. */
  given: number;
  /** Why its frames could not be read. */
  problem?: unknown;
}

/**
 * Encodes the picture of a clip while its runner still decodes. What the dialogue decides, how long the clip is and
 * which frames it shows again, comes last; the bytes are those of a clip that is encoded as a whole.
 */
export class PictureStream {
  readonly #options: PictureStreamOptions;
  #current: Following | undefined;
  #clips = 0;
  #taken: Promise<Picture | undefined> | undefined;
  /** Frames on their way, in order. Never rejects: what goes wrong in the encoder is told by its end. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: PictureStreamOptions) {
    this.#options = options;
  }

  /** Frames that the encoder has been given. */
  get given(): number {
    return this.#current?.given ?? 0;
  }

  /** The runner has finished frames. Another file is another clip: what was encoded before is dropped. */
  push(frames: FrameFile): void {
    if (this.#taken || this.#options.signal.aborted) return;
    if (this.#current?.frames.file !== frames.file) this.#begin(frames);
    const current = this.#current;
    if (!current) return;
    current.frames = frames;
    this.#queue = this.#queue
      .then(() => this.#follow(current))
      .catch((error: unknown) => {
        current.problem ??= error;
      });
  }

  #begin(frames: FrameFile): void {
    const { ffmpeg, folder, size, signal } = this.#options;
    const before = this.#current;
    const output = join(folder, `picture-${this.#clips++}.mp4`);
    const track = new PictureTrack({ ffmpeg, frames, ...size, output, signal });
    this.#current = { frames, track, output, given: 0 };
    // Killed before the queue gets here, so that nobody waits for an encoder that nobody wants.
    if (before) void before.track.kill();
  }

  /** Gives the encoder what is in the file and it has not had yet. */
  async #follow(current: Following): Promise<void> {
    const { file, width, height } = current.frames;
    const bytes = width * height * 3;
    let handle: FileHandle | undefined;
    try {
      while (current === this.#current && current.given < current.frames.count) {
        handle ??= await open(file);
        const frame = new Uint8Array(bytes);
        const { bytesRead } = await handle.read(frame, 0, bytes, current.given * bytes);
        if (bytesRead !== bytes) throw new Error(`frame ${current.given} is not whole`);
        await current.track.write(frame);
        current.given++;
      }
    } finally {
      await handle?.close();
    }
  }

  /**
   * The picture with every frame of the time line. The same for every call.
   * @returns undefined when these frames did not come this way, or their time line is not the clip's beginning
   * @throws FfmpegKilled, or Error with the encoder's words
   */
  take(file: string, frames: Frames, fit: Fit): Promise<Picture | undefined> {
    this.#taken ??= this.#take(file, frames, fit);
    return this.#taken;
  }

  async #take(file: string, frames: Frames, { timeline, seconds }: Fit): Promise<Picture | undefined> {
    await this.#queue;
    const current = this.#current;
    const whole = current?.frames.file === file && current.given === frames.count;
    if (current?.problem !== undefined) throw current.problem;
    if (!current || !whole || !isFromStart(timeline, frames.count)) {
      await this.drop();
      return undefined;
    }
    for (const frame of shown(frames, timeline.slice(frames.count))) await current.track.write(frame);
    await current.track.end();
    return { file: current.output, seconds };
  }

  /** Ends the encoder, and waits until it is gone. */
  async drop(): Promise<void> {
    const current = this.#current;
    // Nothing more is read for it.
    this.#current = undefined;
    await current?.track.kill();
    await this.#queue;
  }
}

/** Does the time line show the whole clip once before anything else? */
const isFromStart = (timeline: readonly number[], count: number): boolean =>
  timeline.length >= count && timeline.slice(0, count).every((index, i) => index === i);

/** Can the picture be encoded before its dialogue is there, and does anybody want it? */
export function canStream(
  spec: Pick<RenderSpec, "clip" | "speech" | "output">,
  { uploads, partial_uploads }: Pick<RunRequest__Output, "uploads" | "partial_uploads">,
): boolean {
  const wanted = [...uploads, ...partial_uploads].some(({ name }) => name === "clip.mp4");
  return wanted && Boolean(spec.clip) && !(spec.speech && spec.output.fit === "trim");
}
