package io.millrace.operators.evidence;

import io.millrace.schemas.RolloutPolicy;
import java.io.Serializable;

/** Which policy a rollout begins with. */
@FunctionalInterface
public interface FirstPolicies extends Serializable {
  /** The policy of a domain about which nothing has been decided. */
  RolloutPolicy of(String domain);
}
