package io.millrace.operators.evidence;

import ai.djl.Device;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.WeightRole;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Classifies examples with published versions, without training them. The base model is loaded with
 * the first version that needs it; in one process, training and evidence share it. For one thread.
 */
final class FrozenVersions implements AutoCloseable {
  /** Most classifiers in memory. Each holds a copy of its adapter. */
  private static final int READY = 32;

  private final EvidenceSettings settings;
  private final Device device;
  private final Map<String, Classifier> classifiers = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<Set<WeightRole>, SharedModel.Lease> models = new HashMap<>();

  FrozenVersions(EvidenceSettings settings, Device device) {
    this.settings = settings;
    this.device = device;
  }

  /**
   * Whether a version classifies each example correctly.
   *
   * @return one value per example, in their order
   * @throws AdapterException where the version does not fit the base model, or is damaged
   */
  boolean[] correct(AdapterVersion version, List<EvidenceExample> examples) throws IOException {
    Classifier classifier = classifier(version);
    List<String> labels = classifier.adapter().labels();
    float[][] logits = classifier.logits(examples.stream().map(EvidenceExample::getText).toList());
    boolean[] correct = new boolean[logits.length];
    for (int i = 0; i < correct.length; i++) {
      int answer = classifier.adapter().task().answer(logits[i], labels.size());
      correct[i] = answer >= 0 && labels.get(answer).equals(examples.get(i).getLabel());
    }
    return correct;
  }

  private Classifier classifier(AdapterVersion version) throws IOException {
    Classifier known = classifiers.get(version.getSha256());
    if (known != null) {
      return known;
    }
    byte[] payload = new byte[version.getPayload().remaining()];
    version.getPayload().duplicate().get(payload);
    PayloadHash hash = PayloadHash.of(version);
    if (!hash.matches()) {
      throw new AdapterException(
          "version %d is damaged: %s".formatted(version.getVersion(), hash.fault().orElseThrow()));
    }
    Adapter adapter = Adapter.fromPayload(payload);
    Classifier made = new Classifier(model(adapter.method()), adapter);
    classifiers.put(hash.id(), made);
    if (classifiers.size() > READY) {
      Iterator<Classifier> eldest = classifiers.values().iterator();
      eldest.next().close();
      eldest.remove();
    }
    return made;
  }

  /**
   * The base model that a method's adapters run on: one that training holds, if any will do. A
   * weight that is held as its factors takes adapters of every method.
   */
  private BaseModel model(AdapterMethod method) throws IOException {
    Set<WeightRole> needed = method.factored();
    Set<WeightRole> factored =
        settings.methods().stream()
            .map(AdapterMethod::factored)
            .filter(held -> held.containsAll(needed))
            .min(Comparator.comparingInt(Set::size))
            .orElse(needed);
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
    return model.base();
  }

  @Override
  public void close() {
    classifiers.values().forEach(Classifier::close);
    classifiers.clear();
    models.values().forEach(SharedModel.Lease::close);
  }
}
