/**
 * The settings of the job, each declared once, and the types that are made of them: adapter method,
 * training settings, settings of the operators, and the settings a manifest records. A setting that
 * only one other package needs is declared there.
 */
package io.millrace.pipeline.settings;
