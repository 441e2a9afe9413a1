import { checkArchitecture } from "./architecture.ts"
import { report } from "./problem.ts"
import { readRepository, workspaceRoot } from "./repository.ts"

report("architecture", checkArchitecture(readRepository(workspaceRoot)))
