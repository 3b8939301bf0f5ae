package io.millrace.operators.adapt;

import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.ReceivedExample;
import java.util.List;

/**
 * A closed batch of one domain, and the state that its step starts from.
 *
 * @param state as the domain's step before left it; the step changes it in place
 * @param examples in order, at least one
 * @param closedBy what closed the batch
 */
public record DomainBatch(
    String domain, DomainState state, List<ReceivedExample> examples, BatchClosedBy closedBy) {}
