using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Couic.Config;

/// <summary>A URL of a configuration: http or https, with a host that is contacted as it is written.</summary>
public static class WebAddress
{
    /// <summary>False also where <see cref="Uri"/> would read another host than the text shows, such as 8.0.0.1 for <c>010.1</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Uri? address)
    {
        address = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("https" or "http") || !IsAsWritten(HostOf(text), uri))
        {
            return false;
        }

        address = uri;
        return true;
    }

    private static bool IsAsWritten(string written, Uri uri)
    {
        if (!written.All(char.IsAscii))
        {
            return uri.HostNameType == UriHostNameType.Dns && HostText.IsName(uri.IdnHost);
        }

        if (HostText.Read(written) is not { } host)
        {
            return false;
        }

        return HostText.TryParseAddress(host, out IPAddress? address)
            ? IPAddress.TryParse(uri.DnsSafeHost, out IPAddress? read) && read.Equals(address)
            : uri.HostNameType == UriHostNameType.Dns && uri.Host.Equals(host, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What stands between the scheme and the path, without user information and port.</summary>
    private static string HostOf(string text)
    {
        int start = text.IndexOf("://", StringComparison.Ordinal);
        if (start < 0)
        {
            return string.Empty;
        }

        string authority = text[(start + 3)..];
        int end = authority.AsSpan().IndexOfAny("/?#\\");
        authority = end < 0 ? authority.TrimEnd() : authority[..end];
        authority = authority[(authority.LastIndexOf('@') + 1)..];
        int port = authority.LastIndexOf(':');
        return port > authority.LastIndexOf(']') ? authority[..port] : authority;
    }
}
