package io.millrace.svft;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives a test the base model it asks for. Each is loaded once per JVM and freed after the last
 * test.
 */
final class Models implements ParameterResolver {
  /** all-MiniLM-L6-v2. */
  @Retention(RetentionPolicy.RUNTIME)
  @interface MiniLm {}

  /** {@link TinyModel}. */
  @Retention(RetentionPolicy.RUNTIME)
  @interface Tiny {}

  /** The store all tests of a build share, so that MiniLM is factorised once. */
  static ModelStore store() {
    return new ModelStore(Path.of(System.getProperty("millrace.test.models")));
  }

  static ModelFiles miniLm() {
    return store().prepare(ModelStore.MINILM, (model, done, total) -> {});
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.isAnnotated(MiniLm.class) || parameter.isAnnotated(Tiny.class);
  }

  @Override
  public BaseModel resolveParameter(ParameterContext parameter, ExtensionContext context) {
    boolean miniLm = parameter.isAnnotated(MiniLm.class);
    // Operators this small share busy cores badly.
    Torch.setThreads(1);
    return context
        .getRoot()
        .getStore(ExtensionContext.Namespace.create(Models.class))
        .getOrComputeIfAbsent(
            miniLm,
            key -> BaseModel.load(miniLm ? miniLm() : tiny(), Torch.device("cpu")),
            BaseModel.class);
  }

  private static ModelFiles tiny() {
    try {
      return TinyModel.create(Files.createTempDirectory(Path.of("target"), "tiny"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
