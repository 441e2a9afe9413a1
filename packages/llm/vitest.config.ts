import { espalierVitest } from "../../vitest.shared.ts"

export default espalierVitest()
