using System.Text;

namespace Couic.Store;

/// <summary>Why a text is no CIDR; <see cref="CidrFaults.Explain"/> has the words.</summary>
public enum CidrFault : byte
{
    None,
    Empty,
    NoLength,
    BadAddress,
    BadLength,
    LengthTooLarge,

    /// <summary>Only in files: <see cref="Cidr.HasStrayHostBits"/>.</summary>
    StrayHostBits,
}

public static class CidrFaults
{
    /// <summary>What is wrong and what was expected, for error messages.</summary>
    public static string Explain(this CidrFault fault) => fault switch
    {
        CidrFault.None => "valid",
        CidrFault.Empty => "empty; expected ADDRESS/LENGTH such as 192.0.2.0/24 or 2001:db8::/32",
        CidrFault.NoLength => "no prefix length; expected ADDRESS/LENGTH such as 192.0.2.0/24",
        CidrFault.BadAddress => "not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24",
        CidrFault.StrayHostBits => "host bits are set below a short prefix (is the line cut off?)",
        CidrFault.BadLength => "prefix length is not a plain decimal number",
        _ => "prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6",
    };
}

public readonly partial struct Cidr
{
    /// <summary>
    /// Reads <c>ADDRESS/LENGTH</c> in one strict dialect (no leading zeros, zones, brackets, blanks or short forms). Host
    /// bits are kept. Never throws.
    /// </summary>
    public static CidrFault TryParse(ReadOnlySpan<byte> text, out Cidr cidr)
    {
        cidr = default;
        if (text.IsEmpty)
        {
            return CidrFault.Empty;
        }

        int slash = text.IndexOf((byte)'/');
        if (slash < 0)
        {
            return TryParseAddress(text, out _) ? CidrFault.NoLength : CidrFault.BadAddress;
        }

        if (!TryParseAddress(text[..slash], out Cidr address))
        {
            return CidrFault.BadAddress;
        }

        CidrFault fault = TryParseLength(text[(slash + 1)..], address.MaxLength, out int length);
        if (fault == CidrFault.None)
        {
            cidr = new Cidr(address.Family, address.High, address.Low, length);
        }

        return fault;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out Cidr)"/>
    public static CidrFault TryParse(string text, out Cidr cidr)
    {
        cidr = default;
        Span<byte> utf8 = stackalloc byte[256];
        return Encoding.UTF8.TryGetBytes(text, utf8, out int written)
            ? TryParse(utf8[..written], out cidr)
            : CidrFault.BadAddress;
    }

    /// <summary>Reads a bare address as its /32 or /128.</summary>
    public static bool TryParseAddress(ReadOnlySpan<byte> text, out Cidr host)
    {
        host = default;
        if (text.Contains((byte)':'))
        {
            return TryParseV6(text, out host);
        }

        bool ok = TryParseV4(text, out uint address);
        host = ok ? FromV4(address) : default;
        return ok;
    }

    /// <summary>A prefix length: plain decimal, no sign, no leading zero, at most <paramref name="max"/>.</summary>
    public static CidrFault TryParseLength(ReadOnlySpan<byte> text, int max, out int length)
    {
        length = 0;
        if (text.IsEmpty || (text.Length > 1 && text[0] == '0'))
        {
            return CidrFault.BadLength;
        }

        foreach (byte c in text)
        {
            if (c is < (byte)'0' or > (byte)'9')
            {
                return CidrFault.BadLength;
            }

            length = Math.Min((length * 10) + (c - '0'), 1000);
        }

        return length <= max ? CidrFault.None : CidrFault.LengthTooLarge;
    }

    private static bool TryParseV4(ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        int i = 0;
        for (int part = 0; part < 4; part++)
        {
            if (part > 0 && (i >= text.Length || text[i++] != '.'))
            {
                return false;
            }

            int start = i;
            uint octet = 0;
            while (i < text.Length && text[i] is >= (byte)'0' and <= (byte)'9' && i - start < 3)
            {
                octet = (octet * 10) + (uint)(text[i++] - '0');
            }

            int digits = i - start;
            if (digits == 0 || octet > 255 || (digits > 1 && text[start] == '0'))
            {
                return false;
            }

            address = (address << 8) | octet;
        }

        return i == text.Length;
    }

    private static bool TryParseV6(ReadOnlySpan<byte> text, out Cidr host)
    {
        host = default;
        Span<ushort> groups = stackalloc ushort[8];
        int count = 0, gap = -1, i = 0;
        if (text.StartsWith("::"u8))
        {
            gap = 0;
            i = 2;
        }

        while (i < text.Length)
        {
            int end = text[i..].IndexOf((byte)':');
            ReadOnlySpan<byte> part = end < 0 ? text[i..] : text.Slice(i, end);
            if (end < 0 && part.Contains((byte)'.'))
            {
                if (count > 6 || !TryParseV4(part, out uint tail))
                {
                    return false;
                }

                groups[count++] = (ushort)(tail >> 16);
                groups[count++] = (ushort)tail;
                break;
            }

            if (count == 8 || !TryParseGroup(part, out groups[count]))
            {
                return false;
            }

            count++;
            if (end < 0)
            {
                break;
            }

            i += end + 1;
            if (i == text.Length)
            {
                return false; // a single colon at the end
            }

            if (text[i] == ':')
            {
                if (gap >= 0)
                {
                    return false; // a second "::"
                }

                gap = count;
                i++;
            }
        }

        // "::" stands for at least one group (RFC 4291 §2.2 read strictly).
        if (gap < 0 ? count != 8 : count > 7)
        {
            return false;
        }

        host = Assemble(groups[..count], gap);
        return true;
    }

    private static bool TryParseGroup(ReadOnlySpan<byte> text, out ushort group)
    {
        group = 0;
        if (text.IsEmpty || text.Length > 4)
        {
            return false;
        }

        foreach (byte c in text)
        {
            int digit = c switch
            {
                >= (byte)'0' and <= (byte)'9' => c - '0',
                >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
                >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
                _ => -1,
            };
            if (digit < 0)
            {
                return false;
            }

            group = (ushort)((group << 4) | digit);
        }

        return true;
    }

    private static Cidr Assemble(ReadOnlySpan<ushort> groups, int gap)
    {
        Span<ushort> all = stackalloc ushort[8];
        all.Clear();
        int head = gap < 0 ? groups.Length : gap;
        groups[..head].CopyTo(all);
        groups[head..].CopyTo(all[(8 - (groups.Length - head))..]);
        ulong high = 0, low = 0;
        for (int i = 0; i < 4; i++)
        {
            high = (high << 16) | all[i];
            low = (low << 16) | all[i + 4];
        }

        return new Cidr(IpFamily.V6, high, low, 128);
    }
}
