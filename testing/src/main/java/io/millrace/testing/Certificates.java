package io.millrace.testing;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * Key stores for tests of TLS, made by Java's own {@code keytool}: PKCS12, with the password
 * {@value #PASSWORD}.
 */
public final class Certificates {
  public static final String PASSWORD = "for-tests";

  private final Path directory;

  /**
   * @param directory for the stores
   */
  public Certificates(Path directory) {
    this.directory = directory;
  }

  /** A new key with a certificate that it signed itself, for localhost and 127.0.0.1. */
  public Path keyStore(String name) throws IOException, InterruptedException {
    Path store = directory.resolve(name + ".p12");
    keytool(
        store,
        "-genkeypair",
        "-keyalg",
        "EC",
        "-alias",
        name,
        "-dname",
        "CN=" + name,
        "-ext",
        "san=dns:localhost,ip:127.0.0.1",
        "-validity",
        "2");
    return store;
  }

  /** A store that trusts the certificate in a key store, and no other. */
  public Path trustStore(Path keyStore) throws IOException, InterruptedException {
    String name = keyStore.getFileName().toString().replace(".p12", "");
    Path certificate = directory.resolve(name + ".cer");
    keytool(keyStore, "-exportcert", "-alias", name, "-file", certificate.toString());
    Path store = directory.resolve(name + "-trust.p12");
    keytool(store, "-importcert", "-noprompt", "-alias", name, "-file", certificate.toString());
    return store;
  }

  /** For a server in this JVM that shows the certificate in a key store. */
  static SSLContext context(Path keyStore) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(keyStore)) {
      store.load(in, PASSWORD.toCharArray());
    }
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(store, PASSWORD.toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    return context;
  }

  private static void keytool(Path store, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of(arguments));
    command.addAll(
        List.of("-keystore", store.toString(), "-storepass", PASSWORD, "-storetype", "PKCS12"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes());
    if (process.waitFor() != 0) {
      throw new IOException("keytool: " + output.strip());
    }
  }
}
