/**
 * Versions and rollouts, mirrored to a model registry of MLflow over its REST API. Nothing here
 * decides anything: the log {@code rollouts} does.
 */
package io.millrace.pipeline.mlflow;
