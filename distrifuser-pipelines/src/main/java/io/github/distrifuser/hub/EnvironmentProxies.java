package io.github.distrifuser.hub;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Proxies as Python's clients find them, in HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, upper
 * or lower case; Java's own settings ({@code https.proxyHost}) where those are not set.
 */
final class EnvironmentProxies extends ProxySelector {
  private final Map<String, String> environment;

  EnvironmentProxies(Map<String, String> environment) {
    this.environment = environment;
  }

  @Override
  public List<Proxy> select(URI uri) {
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    String value = get(scheme + "_proxy");
    value = value == null ? get("all_proxy") : value;
    if (value == null) {
      ProxySelector system = ProxySelector.getDefault();
      return system == null ? List.of(Proxy.NO_PROXY) : system.select(uri);
    }
    return isExcluded(uri.getHost()) ? List.of(Proxy.NO_PROXY) : List.of(proxy(value));
  }

  private static Proxy proxy(String value) {
    URI uri = URI.create(value.contains("://") ? value : "http://" + value);
    if (uri.getHost() == null || !uri.getScheme().startsWith("http")) {
      throw new IllegalArgumentException("the proxy '" + value + "' is no http address");
    }
    int port = uri.getPort() >= 0 ? uri.getPort() : 80;
    return new Proxy(Proxy.Type.HTTP, new InetSocketAddress(uri.getHost(), port));
  }

  private boolean isExcluded(String host) {
    if (host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]")) {
      return true; // a proxy's loopback is another one
    }
    String list = get("no_proxy");
    if (list == null) {
      return false;
    }
    for (String part : list.split(",")) {
      String p = part.strip().toLowerCase(Locale.ROOT);
      String bare = p.startsWith(".") ? p.substring(1) : p;
      String h = host.toLowerCase(Locale.ROOT);
      if (p.equals("*") || !bare.isEmpty() && (h.equals(bare) || h.endsWith("." + bare))) {
        return true;
      }
    }
    return false;
  }

  private @Nullable String get(String name) {
    String value = environment.get(name);
    value =
        value == null || value.isEmpty() ? environment.get(name.toUpperCase(Locale.ROOT)) : value;
    return value == null || value.isEmpty() ? null : value;
  }

  @Override
  public void connectFailed(URI uri, SocketAddress address, IOException e) {
    // The request fails with the same exception.
  }
}
