package io.millrace.operators.adapt;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainPath;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a domain's first step begins with, by its settings: the base model; the latest version of
 * the nearest domain above it that has one, or else the base model; or an adapter of PEFT in a
 * directory, whose hash the settings name.
 *
 * <p>The examples of two domains have no order, so no function of the stream says which version of
 * the domain above was the latest. The choice is therefore made once, for the first step, and kept
 * in the state that this step leaves and in the manifests of the domain's versions. Whatever reads
 * those, a restore or a replay, chooses nothing.
 *
 * <p>For the task's thread.
 */
final class DomainStart {
  private static final Logger LOG = LoggerFactory.getLogger(DomainStart.class);

  private final DomainRules domains;
  private final DomainTrainers trainers;
  private final ParentVersions parents;

  /** The adapter that was read last: many domains may start from it. */
  private PeftLora read;

  private InitFrom readFrom;

  DomainStart(DomainRules domains, DomainTrainers trainers, ParentVersions parents) {
    this.domains = domains;
    this.trainers = trainers;
    this.parents = parents;
  }

  /**
   * The state before the first step.
   *
   * @throws IOException where versions cannot be looked up now
   * @throws PermanentFailureException where the adapter of PEFT is not what it was, or does not fit
   */
  DomainState of(String domain) throws IOException {
    DomainTrainer trainer = trainers.of(domain);
    InitFrom from = domains.of(domain).initFrom();
    return switch (from.kind()) {
      case BASE -> trainer.initialState();
      case PARENT -> above(domain, trainer);
      case PEFT -> peft(domain, trainer, from);
    };
  }

  /** Never another start: the domain would differ from what the settings say for good. */
  private DomainState peft(String domain, DomainTrainer trainer, InitFrom from) {
    try {
      if (!from.equals(readFrom)) {
        read = trainer.peft(from);
        readFrom = from;
        read.notes().forEach(note -> LOG.warn("{}: {}", from.directory(), note));
      }
      return trainer.initialState(read);
    } catch (AdapterException e) {
      throw new PermanentFailureException(
          "%s cannot start from the adapter of PEFT in %s: %s"
              .formatted(
                  ShownText.of(domain),
                  ShownText.of(from.directory()),
                  ShownText.of(e.getMessage())));
    }
  }

  private DomainState above(String domain, DomainTrainer trainer) throws IOException {
    for (String above : DomainPath.above(domain)) {
      try {
        Optional<AdapterVersion> version = parents.latest(above);
        if (version.isPresent()) {
          return trainer.initialState(version.get());
        }
      } catch (AdapterException e) {
        // A domain further above would be a guess at what is wanted.
        LOG.warn(
            "{} starts from the base model: it cannot start from the latest version of {}: {}",
            ShownText.of(domain),
            ShownText.of(above),
            ShownText.of(e.getMessage()));
        return trainer.initialState();
      } catch (IOException e) {
        throw new IOException(
            "%s cannot start: the latest version of %s was not found out: %s"
                .formatted(ShownText.of(domain), ShownText.of(above), ShownText.of(e.getMessage())),
            e);
      }
    }
    return trainer.initialState();
  }
}
