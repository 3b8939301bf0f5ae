package io.millrace.testing;

import java.util.concurrent.Callable;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Starts what the parameters of a test class's methods name: {@link KafkaBroker}, {@link
 * ApicurioRegistry}, {@link StubRegistry}. Each is started when it is first named, serves all test
 * classes of the JVM, and ends with it. A class finds the broker without topics and groups; what a
 * registry knows stays.
 */
public final class Services implements BeforeAllCallback, ParameterResolver {
  private static final Namespace NAMESPACE = Namespace.create(Services.class);

  @Override
  public void beforeAll(ExtensionContext context) throws Exception {
    KafkaBroker broker = store(context).get(KafkaBroker.class, KafkaBroker.class);
    if (broker != null) {
      broker.clear();
    }
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    return type == KafkaBroker.class
        || type == ApicurioRegistry.class
        || type == StubRegistry.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    if (type == KafkaBroker.class) {
      return service(context, KafkaBroker.class, KafkaBroker::new);
    }
    return type == ApicurioRegistry.class
        ? service(context, ApicurioRegistry.class, ApicurioRegistry::new)
        : service(context, StubRegistry.class, StubRegistry::new);
  }

  private static <T> T service(ExtensionContext context, Class<T> type, Callable<T> start) {
    return store(context).computeIfAbsent(type, key -> start(type, start), type);
  }

  private static <T> T start(Class<T> type, Callable<T> start) {
    try {
      return start.call();
    } catch (Exception e) {
      throw new IllegalStateException(type.getSimpleName() + " does not start", e);
    }
  }

  private static Store store(ExtensionContext context) {
    return context.getRoot().getStore(NAMESPACE);
  }
}
