/** Face of the execution log. */
export {
  createExecutions,
  type ExecutionEnd,
  type ExecutionQuery,
  type Executions,
  type ExecutionsDeps,
  type ExecutionStart,
  type HourUsage,
  type OpenExecution,
} from "./executions.ts";
