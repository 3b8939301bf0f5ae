package io.millrace.pipeline.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** No message shows a secret. */
@Tag("unit")
class MlflowSettingsTest {
  private static Settings with(String set) {
    return Settings.of(MlflowSettings.ALL, null, List.of(set));
  }

  @Test
  void anAddressWithAPasswordIsRefusedAndNotShown() {
    assertThatThrownBy(() -> MlflowSettings.uri(with("mlflow.uri=http://ada:s3cret@127.0.0.1")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("mlflow.username")
        .hasMessageNotContaining("s3cret");
  }

  /** As a secret that was made of a file with a line feed ends. */
  @Test
  void whiteSpaceAroundATokenIsNotPartOfIt() {
    assertThat(MlflowSettings.authorization(with("mlflow.token= s3cret\n")))
        .hasValue("Bearer s3cret");
  }

  /** The client would name it in its error. */
  @Test
  void aTokenThatNoHeaderCanHoldIsRefusedAndNotShown() {
    for (String token : List.of("s3\ncret", "s3cret\u0007", "s3cret☃")) {
      assertThatThrownBy(() -> MlflowSettings.authorization(with("mlflow.token=" + token)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("mlflow.token")
          .hasMessageNotContaining("s3");
    }
  }
}
