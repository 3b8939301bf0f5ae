package io.millrace.pipeline.settings;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.training.TrainingSettings;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The settings that training depends on, as the manifest of a version holds them: by key, with the
 * effective value, so that the defaults of a later release do not change a record.
 */
public final class RecordedSettings {
  /** The settings that decide what a domain's first step begins with. */
  private static final List<Setting<?>> START = List.of(JobSettings.INIT_FROM);

  /** The settings that decide a step. */
  private static final List<Setting<?>> STEP =
      Stream.of(MethodSettings.ALL, JobSettings.STEP, START)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  /** The settings that decide which examples form a batch, and when a version is published. */
  private static final List<Setting<?>> BATCHES =
      List.of(
          JobSettings.BATCH_SIZE,
          JobSettings.BATCH_TIMEOUT,
          JobSettings.PUBLISH_EVERY_STEPS,
          JobSettings.MODEL_NAME);

  /** All of them. */
  public static final List<Setting<?>> ALL =
      Stream.concat(STEP.stream(), BATCHES.stream()).<Setting<?>>map(each -> each).toList();

  /** Settings whose default depends on the method: they change with it unless they were set. */
  private static final List<Setting<?>> OF_THE_METHOD =
      Stream.concat(MethodSettings.derived().stream(), Stream.of(JobSettings.LEARNING_RATE))
          .<Setting<?>>map(each -> each)
          .toList();

  private static final Set<String> CHOOSE_THE_METHOD =
      MethodSettings.choosing().stream().map(Setting::key).collect(Collectors.toUnmodifiableSet());

  private RecordedSettings() {}

  /**
   * The settings that the manifests of such a job hold.
   *
   * @throws UsageException where a value in force is not allowed, so that a replay would refuse it
   */
  static TreeMap<String, String> of(Settings settings) {
    AdapterMethod method = JobSettings.method(settings);
    TrainingSettings training = JobSettings.training(settings, method);
    Settings inForce =
        settings
            .with(JobSettings.LEARNING_RATE, training.learningRate())
            .with(JobSettings.INIT_FROM, JobSettings.initFrom(settings))
            .with(JobSettings.KERNELS, JobSettings.kernels(settings).id())
            .with(JobSettings.SAMPLE_ERRORS_BELOW, training.sampleErrorsBelow());
    TreeMap<String, String> texts = new TreeMap<>(MethodSettings.inForce(method));
    for (List<Setting<?>> recorded : List.of(JobSettings.STEP, START, BATCHES)) {
      recorded.forEach(setting -> texts.put(setting.key(), inForce.text(setting)));
    }
    // The record holds what the preset chose.
    texts.remove(JobSettings.PRESET.key());
    // So that versions that need no such setting keep the hashes of releases that had none.
    if (training.sampleErrorsBelow() == 0) {
      texts.remove(JobSettings.SAMPLE_ERRORS_BELOW.key());
    }
    // Checks every value, also those that the method derived.
    settings(texts);
    return texts;
  }

  /**
   * The training settings that a manifest holds.
   *
   * @throws UsageException where a setting is not known, or its value not allowed any more
   */
  public static TrainingSettings training(Map<String, String> recorded) {
    return JobSettings.training(settings(recorded));
  }

  /**
   * The kernels that a manifest holds; the fast ones in manifests of releases that had no others.
   *
   * @throws UsageException where a setting is not known, or its value not allowed any more
   */
  public static Kernels kernels(Map<String, String> recorded) {
    return JobSettings.kernels(settings(recorded));
  }

  /** What a domain that trained so starts from. */
  public static InitFrom initFrom(Map<String, String> recorded) {
    return settings(recorded).get(JobSettings.INIT_FROM);
  }

  private static Settings settings(Map<String, String> recorded) {
    TreeMap<String, String> all = new TreeMap<>(recorded);
    // What releases trained with that had no other layout.
    all.putIfAbsent(JobSettings.LAYOUT.key(), BatchLayout.SLICES.id());
    all.putIfAbsent(JobSettings.CLASS_MEANS.key(), "0");
    all.putIfAbsent(JobSettings.KERNELS.key(), Kernels.FAST.id());
    return Settings.of(
        ALL,
        null,
        all.entrySet().stream().map(each -> each.getKey() + "=" + each.getValue()).toList());
  }

  /**
   * Those settings of a process that the user has set.
   *
   * @throws UsageException where one of them decides the batches, which are on record
   */
  public static Map<String, String> within(Settings settings) {
    Map<String, String> explicit = settings.explicit();
    for (Setting<?> setting : BATCHES) {
      if (explicit.containsKey(setting.key())) {
        throw new UsageException(
            setting.key() + ": a replay takes batches, versions and base model from the record");
      }
    }
    Map<String, String> set = new TreeMap<>();
    for (Setting<?> setting : STEP) {
      if (explicit.containsKey(setting.key())) {
        set.put(setting.key(), explicit.get(setting.key()));
      }
    }
    return set;
  }

  /**
   * Recorded settings with some of them changed. Where another method or pattern is asked for, what
   * the recorded one had by default (its learning rate, say) becomes what the other has by default.
   *
   * @param changes by key, as {@link #within} gives them
   */
  public static TreeMap<String, String> changed(
      Map<String, String> recorded, Map<String, String> changes) {
    TreeMap<String, String> changed = new TreeMap<>(recorded);
    if (changes.keySet().stream().anyMatch(CHOOSE_THE_METHOD::contains)) {
      TreeMap<String, String> byDefault = new TreeMap<>(recorded);
      OF_THE_METHOD.forEach(setting -> byDefault.remove(setting.key()));
      of(settings(byDefault))
          .forEach(
              (key, value) -> {
                if (!byDefault.containsKey(key)) {
                  changed.remove(key, value);
                }
              });
    }
    changed.putAll(changes);
    return of(settings(changed));
  }
}
