using System.Text;
using Couic.Store;

namespace Couic.Cli.Values;

/// <summary>Parses one network as users write it: a CIDR, a bare address for its /32 or /128, or a range of addresses.</summary>
internal static class NetworkText
{
    /// <summary>Parses a CIDR or a bare address.</summary>
    /// <returns>Null when the text is valid; otherwise the error with its particular reason.</returns>
    public static string? TryParse(string text, out Cidr cidr)
    {
        Span<byte> utf8 = stackalloc byte[64];
        if (Encoding.UTF8.TryGetBytes(text, utf8, out int length) && Cidr.TryParseAddress(utf8[..length], out cidr))
        {
            return null;
        }

        CidrFault fault = Cidr.TryParse(text, out cidr);
        return fault == CidrFault.None ? null : $"\"{Printable.Quote(text)}\" is not a CIDR: {ReasonOf(text) ?? fault.Explain()}";
    }

    /// <summary>Parses a CIDR, a bare address or a range such as <c>192.0.2.0-192.0.2.99</c>.</summary>
    /// <param name="cidrs">Receives the networks: several for a range that is not one network.</param>
    /// <returns>Null when the text is valid; otherwise the error.</returns>
    public static string? TryParse(string text, List<Cidr> cidrs)
    {
        int dash = text.IndexOf('-', StringComparison.Ordinal);
        if (dash > 0 && TryAddress(text[..dash].Trim(), out Cidr first) && TryAddress(text[(dash + 1)..].Trim(), out Cidr last))
        {
            if (first.Family != last.Family || last < first)
            {
                return $"\"{Printable.Quote(text)}\" is not a range: its end is {(first.Family == last.Family ? "before its start" : "of the other address family")}";
            }

            AddRange(first, last, cidrs);
            return null;
        }

        string? fault = TryParse(text, out Cidr cidr);
        if (fault is null)
        {
            cidrs.Add(cidr);
        }

        return fault;
    }

    /// <summary>The fewest networks that cover exactly the addresses from first to last.</summary>
    private static void AddRange(Cidr first, Cidr last, List<Cidr> cidrs)
    {
        int unused = 128 - first.MaxLength;
        UInt128 next = Number(first) >> unused, end = Number(last) >> unused;
        while (true)
        {
            int bits = next == 0 ? first.MaxLength : Math.Min(first.MaxLength, (int)UInt128.TrailingZeroCount(next));
            UInt128 mask;
            while ((mask = bits == 128 ? UInt128.MaxValue : (UInt128.One << bits) - 1) > end - next)
            {
                bits--;
            }

            UInt128 address = next << unused;
            cidrs.Add(new Cidr(first.Family, (ulong)(address >> 64), (ulong)address, first.MaxLength - bits));
            if (end - next == mask)
            {
                return;
            }

            next += mask + 1;
        }
    }

    private static UInt128 Number(Cidr address) => new(address.High, address.Low);

    private static bool TryAddress(string text, out Cidr address) => Cidr.TryParseAddress(Encoding.UTF8.GetBytes(text), out address);

    /// <summary>Why a text that resembles a network is not one, with the correct form; null for any other text.</summary>
    private static string? ReasonOf(string text) => NetmaskReason(text) ?? PortReason(text)
        ?? (HasLeadingZero(text) ? "a number with leading zeros is ambiguous: decimal or octal?"
            : text.Contains(':', StringComparison.Ordinal) && text.IndexOf('%', StringComparison.Ordinal) is > 0 and int zone ? $"it has a zone (write {text[..zone]})"
            : text.Length == 17 && text.Split(text[2]) is { Length: 6 } groups && groups.All(IsHexPair) ? "it is a hardware address; couic matches IP addresses"
            : text.Length > 2 && text.StartsWith("AS", StringComparison.OrdinalIgnoreCase) && text.Skip(2).All(char.IsAsciiDigit)
                ? $"it is an autonomous system (couicctl sets create POLICY NAME --from-asn {text})"
            : IsHostName(text) ? "it is a host name (write its addresses)"
            : null);

    private static string? PortReason(string text)
    {
        int end = text.LastIndexOf(':');
        bool hasBrackets = text.StartsWith('[') && text.Contains(']', StringComparison.Ordinal);
        string address = hasBrackets ? text[1..text.IndexOf(']', StringComparison.Ordinal)] : end > 0 ? text[..end] : "";
        bool isAddress = TryAddress(address, out Cidr found) && (hasBrackets || found.Family == IpFamily.V4);
        return isAddress ? $"it has {(hasBrackets ? "brackets, as in a URL" : "a port")} (write {address})" : null;
    }

    private static string? NetmaskReason(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !TryAddress(text[..slash], out _) || !TryAddress(text[(slash + 1)..], out Cidr mask) || mask.Family != IpFamily.V4)
        {
            return null;
        }

        uint hostBits = ~mask.V4;
        return (hostBits & (hostBits + 1)) != 0 ? "its netmask is not contiguous" : $"it has a netmask (write {text[..slash]}/{uint.LeadingZeroCount(hostBits)})";
    }

    private static bool HasLeadingZero(string text)
    {
        string[] numbers = text.Split('/')[0].Split('.');
        return numbers.Length == 4 && numbers.All(n => n.Length > 0 && n.All(char.IsAsciiDigit)) && numbers.Any(n => n.Length > 1 && n[0] == '0');
    }

    private static bool IsHexPair(string text) => text.Length == 2 && text.All(char.IsAsciiHexDigit);

    private static bool IsHostName(string text)
    {
        string[] labels = text.TrimEnd('.').Split('.');
        return labels.Length > 1 && char.IsAsciiLetter(labels[^1].FirstOrDefault())
            && labels.All(label => label.Length > 0 && label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
    }
}
