using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Couic.Config;

/// <summary>
/// A host in a configuration: a DNS name, or an address in its one spelling. .NET and the C library read <c>010.1</c> as
/// 8.0.0.1, so a request and its token would go to a host that the file does not show.
/// </summary>
public static class HostText
{
    private const int MaxNameBytes = 253, MaxLabelBytes = 63; // RFC 1035, 2.3.4

    /// <summary>The host without the brackets of an IPv6 address; null when it is neither a name nor an address.</summary>
    public static string? Read(string text)
    {
        if (text.StartsWith('[') && text.EndsWith(']'))
        {
            string inner = text[1..^1];
            return inner.Contains(':', StringComparison.Ordinal) && TryParseAddress(inner, out _) ? inner : null;
        }

        return TryParseAddress(text, out _) || IsName(text) ? text : null;
    }

    /// <summary>What is wrong with a text that <see cref="Read"/> refuses.</summary>
    public static string FaultOf(string text) => EndsInNumber(text)
        ? "is not an address (an IPv4 address is four decimal numbers without leading zeros)"
        : "is neither a name nor an address (no scheme, no port, no path)";

    /// <summary>Reads four decimal numbers without leading zeros, or an IPv6 address without brackets, port or prefix length.</summary>
    public static bool TryParseAddress(string text, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (!text.Contains(':', StringComparison.Ordinal))
        {
            return IsQuad(text) && IPAddress.TryParse(text, out address);
        }

        int end = text.IndexOf('%', StringComparison.Ordinal);
        string digits = end < 0 ? text : text[..end];
        string zone = end < 0 ? "0" : text[(end + 1)..];
        string tail = digits[(digits.LastIndexOf(':') + 1)..];
        return digits.All(c => char.IsAsciiHexDigit(c) || c is ':' or '.')
            && (!digits.Contains('.', StringComparison.Ordinal) || IsQuad(tail))
            && zone.Length > 0 && zone.All(IsNameCharacter)
            && IPAddress.TryParse(text, out address) && address.AddressFamily == AddressFamily.InterNetworkV6;
    }

    /// <summary>Reads an address and a port from 1 to 65535: <c>192.0.2.1:2900</c>, <c>[2001:db8::1]:2900</c>.</summary>
    public static bool TryParseEndPoint(string text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        endPoint = null;
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !IsPort(text[(colon + 1)..], out int port))
        {
            return false;
        }

        string host = text[..colon];
        bool isBracketed = host.StartsWith('[') && host.EndsWith(']');
        if (host.Contains(':', StringComparison.Ordinal) != isBracketed || !TryParseAddress(isBracketed ? host[1..^1] : host, out IPAddress? address))
        {
            return false;
        }

        endPoint = new IPEndPoint(address, port);
        return true;
    }

    /// <summary>Reads a network, or an address as the network of one.</summary>
    /// <returns>What is wrong with it; null when it is one.</returns>
    public static string? NetworkFault(string text, out IPNetwork network)
    {
        network = default;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!TryParseAddress(slash < 0 ? text : text[..slash], out IPAddress? address) || text.Contains('%', StringComparison.Ordinal))
        {
            return "is not a network (such as \"192.0.2.0/24\" or \"2001:db8::/32\")";
        }

        byte[] bytes = address.GetAddressBytes();
        int bits = bytes.Length * 8, length = bits;
        if (slash >= 0 && (!IsDecimal(text[(slash + 1)..], out length) || length > bits))
        {
            return $"has no valid prefix length (0 to {bits})";
        }

        for (int bit = length; bit < bits; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        var first = new IPAddress(bytes);
        network = new IPNetwork(first, length);
        return first.Equals(address) ? null : $"has host bits set (\"{network}\"?)";
    }

    private static bool IsPort(string text, out int port) => IsDecimal(text, out port) && port is > 0 and <= ushort.MaxValue;

    /// <summary>At most five digits, no sign, no leading zero.</summary>
    private static bool IsDecimal(string text, out int value)
    {
        value = 0;
        return text.Length is > 0 and <= 5 && text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0') && int.TryParse(text, out value);
    }

    /// <summary>Whether a text is a DNS name in ASCII that no program reads as an address.</summary>
    public static bool IsName(string text) => text.Length is > 0 and <= MaxNameBytes && text.All(IsNameCharacter)
        && text.Split('.').All(label => label.Length is > 0 and <= MaxLabelBytes) && !EndsInNumber(text);

    private static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_';

    private static bool IsQuad(string text)
    {
        string[] parts = text.Split('.');
        return parts.Length == 4 && parts.All(
            part => part.Length is > 0 and <= 3 && part.All(char.IsAsciiDigit) && (part.Length == 1 || part[0] != '0') && int.Parse(part, null) <= 255);
    }

    /// <summary>Whether inet_aton(3) or a URL reader may take it for an IPv4 address: the last label is a number, decimal, octal or hexadecimal.</summary>
    private static bool EndsInNumber(string text)
    {
        string last = text.TrimEnd('.');
        last = last[(last.LastIndexOf('.') + 1)..];
        return last.Length > 0
            && (last.All(char.IsAsciiDigit) || (last.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && last[2..].All(char.IsAsciiHexDigit)));
    }
}

/// <summary>A URL in a configuration: http or https, with a host that is contacted as written.</summary>
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

    /// <summary>The host between scheme and path, without user information and port.</summary>
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
