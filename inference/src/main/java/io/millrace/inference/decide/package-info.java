/**
 * Decisions about rollouts that clients of this process ask for: made into events, appended to the
 * topic {@code rollouts}, and awaited from there.
 *
 * <p>A decision has its effect when the event is read back, as for every other process; nothing
 * here changes what serves. The rules of decisions are those of {@link
 * io.millrace.schemas.rollout}.
 */
package io.millrace.inference.decide;
