import { checkArchitecture } from "./architecture.ts"
import { checkPaperLinks } from "./paper_links.ts"
import { report } from "./problem.ts"
import { readRepository, workspaceRoot } from "./repository.ts"

const repository = readRepository(workspaceRoot)
report("architecture", [...checkArchitecture(repository), ...checkPaperLinks(repository)])
