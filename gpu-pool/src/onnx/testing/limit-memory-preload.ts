// Preloaded into a runner: its sessions get a device of CARTOON_TEST_SESSION_BYTES.
import { limitSessionMemory } from "./limit-memory.ts";

limitSessionMemory(Number(process.env.CARTOON_TEST_SESSION_BYTES));
