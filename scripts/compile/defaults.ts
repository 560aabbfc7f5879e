// Imported before anything that reads the environment: a compiled program has no repository around it.
import { join } from "node:path";

process.env.CARTOON_DATA_DIR ||= join(process.cwd(), "cartoon-data");
