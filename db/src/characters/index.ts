export {
  type AssetRecord,
  assetBytes,
  claimAssets,
  type NewAsset,
  ownedAssets,
  takeReleasedAssets,
} from "./assets.ts";
export type { CharacterRecord } from "./character.ts";
export { deleteCharacter } from "./delete.ts";
export { getCharacter } from "./get.ts";
export { listCharacters } from "./list.ts";
export { MAX_CHARACTERS, type NewCharacter, putCharacter } from "./put.ts";
