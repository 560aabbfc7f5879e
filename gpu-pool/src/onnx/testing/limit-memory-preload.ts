// Preloaded into a runner: its sessions get a device of CARTOON_TEST_SESSION_BYTES, or its models find as little as
// CARTOON_TEST_LOADING_BYTES free.
import { limitLoadingMemory, limitSessionMemory } from "./limit-memory.ts";

const { CARTOON_TEST_SESSION_BYTES: session, CARTOON_TEST_LOADING_BYTES: loading } = process.env;
if (session) limitSessionMemory(Number(session));
if (loading) limitLoadingMemory(Number(loading));
