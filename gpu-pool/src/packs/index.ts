export { choosePack, listPacks, type PackListing } from "./library.ts";
export { loadPack, type Pack, PackError } from "./pack.ts";
