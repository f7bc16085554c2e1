export { canonicalJson } from '../json.js';
export { addDuration, formatLocal, formatUtc, localDayOf, readInstant } from './instants.js';
export {
  addStepOutput,
  ROOT_NAMES,
  RUN_NAMES,
  runScope,
  type RunScopeInput,
  TASK_NAMES,
  withItem,
  withSteps,
} from './scope.js';
export {
  innerStepSchema,
  type InnerStep,
  MAX_STEPS,
  type Pipeline,
  pipelineSchema,
  type Retry,
  retrySchema,
  SCOPE_NAMES,
  type Step,
  stepKind,
  type StepKind,
  stepSchema,
} from './step.js';
export {
  CompiledTemplate,
  compileTemplate,
  evaluateCondition,
  evaluateExpression,
  MAX_RENDERED_SIZE,
  type Rendered,
  type RenderOptions,
  renderTemplate,
  type TemplateScope,
} from './template.js';
export { TemplateError, type TemplateErrorKind } from './template-error.js';
export { type PipelineContext, type ToolForValidation, validatePipeline } from './validate.js';
