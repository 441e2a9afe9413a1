/**
 * Runs the steps of pipelines on several processes and machines: an executor for runs, and workers
 * that do the steps, on Effect's durable engine and PostgreSQL.
 *
 * @module
 */
export { clusterExecutor, type ClusterOptions } from "./cluster_executor.ts"
export type { WorkerAddress } from "./engine.ts"
export {
  AddressUnavailable,
  ClusterUnavailable,
  InputChanged,
  StepProcessLost,
  StoreNotShared,
  WorkerDiffers,
} from "./errors.ts"
export type { StepFailure } from "./step_failure.ts"
export { hostSteps, runStepHost, type StepHost } from "./step_host.ts"
export type { StepProcessCommand } from "./step_process.ts"
export { runWorker, type WorkerEvent, type WorkerOptions } from "./worker.ts"
