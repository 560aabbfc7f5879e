export { choosePack, listPacks, type PackListing, substituteFor } from "./library.ts";
export { loadPack, type Pack, PackError } from "./pack.ts";
