using System.Net;

namespace Couic.Cli.Completion;

/// <summary>Where in a sorted list the networks stand whose text begins with a word.</summary>
internal static class AddressRanges
{
    /// <summary>
    /// The networks after which to read, null for the beginning of the list. "10.1" begins 10.1.0.0, 10.10.0.0 and 10.100.0.0, so a
    /// part of a number leads to several places.
    /// </summary>
    public static IEnumerable<string?> After(string word)
    {
        string address = word.Split('/')[0];
        IEnumerable<string?> places = word.Length == 0 ? [null]
            : address.Contains(':', StringComparison.Ordinal) ? V6(address)
            : V4(address);
        return address == word ? places : places.Take(1); // the address is complete
    }

    private static IEnumerable<string?> V4(string address)
    {
        string[] octets = address.Split('.');
        if (octets.Length > 4 || !octets[..^1].All(octet => byte.TryParse(octet, out _)))
        {
            yield break;
        }

        string last = octets[^1];
        if (last.Length > 0 && !byte.TryParse(last, out _))
        {
            // The first group of an IPv6 address, perhaps.
            foreach (string? after in octets.Length == 1 ? V6(address) : [])
            {
                yield return after;
            }

            yield break;
        }

        string[] firsts = last.Length == 0 ? ["0"] : [last, .. last == "0" ? [] : (string[])[last + "0", last + "00"]];
        foreach (string first in firsts.Where(first => byte.TryParse(first, out _)))
        {
            yield return Before(IPAddress.Parse(string.Join('.', octets[..^1].Append(first).Concat(["0", "0", "0"]).Take(4))));
        }
    }

    private static IEnumerable<string?> V6(string address)
    {
        string known = address.Split("::")[0];
        string[] groups = known.Split(':');
        bool isPart = !address.Contains("::", StringComparison.Ordinal);
        if (groups.Length > 8 || !groups.All(group => group.Length <= 4 && group.All(char.IsAsciiHexDigit)))
        {
            yield break;
        }

        string last = groups[^1];
        for (string first = last; first.Length <= 4; first += "0")
        {
            string text = string.Join(':', groups[..^1].Append(first.Length == 0 ? "0" : first).Concat(Enumerable.Repeat("0", 8)).Take(8));
            yield return Before(IPAddress.Parse(text));
            if (!isPart || last.Length == 0)
            {
                yield break;
            }
        }
    }

    /// <summary>The last network that precedes those of an address in a list; null if none does.</summary>
    private static string? Before(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        int i = bytes.Length - 1;
        while (i >= 0 && bytes[i] == 0)
        {
            bytes[i--] = 255;
        }

        if (i < 0)
        {
            return bytes.Length == 4 ? null : "255.255.255.255/32"; // IPv4 precedes IPv6
        }

        bytes[i]--;
        return $"{new IPAddress(bytes)}/{bytes.Length * 8}";
    }
}
