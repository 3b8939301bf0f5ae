package io.millrace.pipeline.submission;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainSettings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.ModelFiles;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The adapters of PEFT that new domains are to start from, looked at before a job starts. */
public final class InitialAdapters {
  private InitialAdapters() {}

  /**
   * Checks that each fits the base model and the method of its domains.
   *
   * @return what of them is not used, a sentence each
   * @throws UsageException where one does not fit
   */
  public static List<String> requireFit(Settings settings, ModelFiles model) {
    Set<String> notes = new LinkedHashSet<>();
    for (DomainSettings each : JobSettings.domains(settings).all()) {
      InitFrom from = each.initFrom();
      if (from.kind() == InitFrom.Kind.PEFT) {
        try {
          PeftLora adapter = from.read(model.config(), model.baseSha256());
          adapter.requireMethod(each.training().method());
          adapter.notes().forEach(note -> notes.add(from.directory() + ": " + note));
        } catch (AdapterException e) {
          throw new UsageException(
              "%s=%s: %s"
                  .formatted(
                      JobSettings.INIT_FROM.key(), "peft:" + from.directory(), e.getMessage()),
              e);
        }
      }
    }
    return List.copyOf(notes);
  }
}
