export { checkNotices } from './check-tool-use.js';
export { runScope, withItem } from './scope.js';
export { pipelineSchema } from './step.js';
export { TemplateError } from './template-error.js';
export { compileTemplate, evaluateCondition, evaluateExpression, renderTemplate } from './template.js';
export { type PipelineContext, validatePipeline } from './validate.js';
