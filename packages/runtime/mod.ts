/**
 * Services that every Espalier package may use and none has to provide: progress, checkpoints, host
 * fall-backs and notices. Each has a default that does nothing.
 *
 * @module
 */
export {
  Checkpoint,
  type CheckpointFiles,
  type CheckpointStore,
  makeMemoryCheckpoints,
} from "./checkpoint.ts"
export { type HostFallbackRecorder, HostFallbacks } from "./host_fallbacks.ts"
export { type NoticeReporter, Notices } from "./notices.ts"
export { Progress, type ProgressReporter, type ProgressUpdate } from "./progress.ts"
