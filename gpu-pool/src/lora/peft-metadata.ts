import { COMPONENTS, type LoraComponent } from "@cartoon/protos/lora/keys";
import { z } from "zod";

/** Scaling rules of one model that PEFT keeps beside the weights. */
export interface PeftSettings {
  /** Alpha for a module; undefined when the file does not say. */
  alpha(path: string): number | undefined;
  rankStabilised: boolean;
}

const Metadata = z.record(z.string(), z.unknown());

/**
 * Reads `lora_adapter_metadata`, the JSON that diffusers puts into the safetensors header
 * (`{"unet.lora_alpha": 8, "unet.alpha_pattern": {...}, "unet.use_rslora": false, …}`).
 */
export function peftSettings(
  metadata: Readonly<Record<string, string>>,
): Record<LoraComponent, PeftSettings> {
  const values = parse(metadata.lora_adapter_metadata);
  const of = (component: LoraComponent): PeftSettings => {
    const general = values[`${component}.lora_alpha`];
    const pattern = values[`${component}.alpha_pattern`];
    const patterns = Object.entries(typeof pattern === "object" && pattern !== null ? pattern : {});
    return {
      rankStabilised: values[`${component}.use_rslora`] === true,
      alpha: (path) => {
        const special = patterns.find(([name]) => path === name || path.endsWith(`.${name}`))?.[1];
        const alpha = special ?? general;
        return typeof alpha === "number" && Number.isFinite(alpha) ? alpha : undefined;
      },
    };
  };
  const settings = COMPONENTS.map((component) => [component, of(component)]);
  return Object.fromEntries(settings) as Record<LoraComponent, PeftSettings>;
}

function parse(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    return Metadata.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
