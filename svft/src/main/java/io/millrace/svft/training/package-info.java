/**
 * Training: state, settings, one step as a pure function of both and a batch, and the environment
 * that decides its bits. Nothing here knows where examples come from.
 */
package io.millrace.svft.training;
