package io.millrace.operators.adapt;

import ai.djl.Device;
import io.millrace.operators.model.SharedModel;
import io.millrace.svft.adapter.PayloadSize;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The trainers of an operator: one for all domains that train alike, on a base model that holds its
 * weights as their method needs them. There are as many as the rules have different settings of a
 * step, whatever the number of domains. For one thread.
 */
final class DomainTrainers implements AutoCloseable {
  private final DomainRules domains;
  private final Map<Set<WeightRole>, SharedModel.Lease> models = new HashMap<>();
  private final Map<TrainingSettings, DomainTrainer> trainers = new LinkedHashMap<>();
  private final Map<DomainSettings, DomainTrainer> bySettings = new IdentityHashMap<>();

  private DomainTrainers(DomainRules domains) {
    this.domains = domains;
  }

  /**
   * Loads the base models that this process does not hold yet.
   *
   * @throws PermanentFailureException where a method's versions fit into no record
   * @throws IOException where the store cannot be read
   */
  static DomainTrainers open(AdaptSettings settings, Device device) throws IOException {
    DomainTrainers opened = new DomainTrainers(settings.domains());
    try {
      for (DomainSettings each : settings.domains().all()) {
        opened.add(each, settings, device);
      }
      return opened;
    } catch (IOException | RuntimeException e) {
      opened.close();
      throw e;
    }
  }

  private void add(DomainSettings added, AdaptSettings settings, Device device) throws IOException {
    TrainingSettings training = added.training();
    DomainTrainer trainer = trainers.get(training);
    if (trainer == null) {
      Set<WeightRole> factored = training.method().factored();
      SharedModel.Lease model = models.get(factored);
      if (model == null) {
        model =
            SharedModel.open(
                settings.modelStore(),
                settings.modelName(),
                device,
                factored,
                settings.device().kernels());
        models.put(factored, model);
      }
      requireThatVersionsFit(settings, training.method(), model.base().config());
      trainer =
          new DomainTrainer(
              model.base(), training, domain -> domains.of(domain).recorded(), settings.threads());
      trainers.put(training, trainer);
    }
    bySettings.put(added, trainer);
  }

  /** Otherwise no domain with this method could ever publish. */
  private static void requireThatVersionsFit(
      AdaptSettings settings, AdapterMethod method, EncoderConfig config) {
    long bytes = PayloadSize.tensorBytes(config, method, 0);
    if (bytes > settings.limits().versionBytes()) {
      throw new PermanentFailureException(
          "a version of %s with the adapter method %s takes more than %d bytes, a record of the topic adapters holds %d: adapt fewer weights, or choose another method"
              .formatted(
                  settings.modelName(), method.spec(), bytes, settings.limits().versionBytes()));
    }
  }

  /** The trainer of a domain. Domains that have the same one train in one pass. */
  DomainTrainer of(String domain) {
    return bySettings.get(domains.of(domain));
  }

  /** Whether any of them takes the steps of several domains in one pass. */
  boolean anyGroups() {
    return trainers.values().stream().anyMatch(DomainTrainer::groups);
  }

  /** Waits for a step that still runs, and gives the base models back. */
  @Override
  public void close() {
    trainers.values().forEach(DomainTrainer::close);
    models.values().forEach(SharedModel.Lease::close);
  }
}
