using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Couic.Store;

namespace Couic.Tests.Fuzz;

/// <summary>A CIDR, against a strict pattern with the framework's own reading of addresses, and back into text.</summary>
internal sealed partial class CidrTarget : FuzzTarget
{
    private const string Octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

    public override string Name => "cidr";

    public override int MaxBytes => 80;

    public override int Rounds => 30_000;

    public override byte[][] Pieces { get; } = Words(
        "1.2.3.4", "10.0.0.0", "255", "256", "0", "00", ".", "/", "/0", "/32", "/33", "/128", "/129", "/024", "/+1", ":", "::", ":::", "1:2:3:4:5:6:7:8",
        "2001:db8::", "::ffff:", "fe80::1%1", "ffff", "10000", "A", "g", "[", "]", " ", "\0", "%", "\x80", "x", "-", "1:2:3:4:5:6:", "::1.2.3.4");

    public override string Check(byte[] input)
    {
        CidrFault fault = default;
        Cidr cidr = default;
        Bounded(input, 10_000, 0, () => fault = Cidr.TryParse(input, out cidr));
        (byte[] Address, int Length)? expected = Reference(Encoding.Latin1.GetString(input));
        Require((expected is not null) == (fault == CidrFault.None), $"the reference says {(expected is null ? "no" : "yes")}, the parser {fault}");
        if (expected is not { } e)
        {
            return fault.ToString();
        }

        Span<byte> address = stackalloc byte[16];
        address = address[..cidr.WriteAddress(address)];
        Require(cidr.Length == e.Length && address.SequenceEqual(e.Address), $"another network: {cidr}");

        string text = cidr.ToString();
        Require(Cidr.TryParse(text, out Cidr again) == CidrFault.None && again == cidr, $"its text \"{text}\" is read as another");
        Require(IPAddress.Parse(cidr.AddressText()).GetAddressBytes().AsSpan().SequenceEqual(e.Address), $"others read its text \"{text}\" as another");
        Require(text.Length <= Cidr.MaxTextLength && !text.Any(char.IsAsciiLetterUpper), $"its text \"{text}\" is not in canonical form");
        Require(cidr.Network.Contains(cidr.WithLength(cidr.MaxLength)) && cidr.Network.IsNetwork, "its network does not hold it");
        return $"{cidr.Family} {cidr.Length == cidr.MaxLength} {cidr.IsNetwork} {cidr.IsV4Mapped} {text.Contains("::", StringComparison.Ordinal)} {text.Contains('.')}";
    }

    private static (byte[] Address, int Length)? Reference(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !Decimal().IsMatch(text[(slash + 1)..]))
        {
            return null;
        }

        string address = text[..slash];
        bool v4 = V4().IsMatch(address);
        int length = int.Parse(text[(slash + 1)..]);
        if ((!v4 && !V6().IsMatch(address)) || length > (v4 ? 32 : 128) || !IPAddress.TryParse(address, out IPAddress? parsed)
            || parsed.AddressFamily != (v4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6))
        {
            return null;
        }

        // "::" beside eight groups stands for none; the framework takes it.
        int groups = address.Split(':').Count(part => part.Length > 0) + (address.Contains('.') ? 1 : 0);
        return !v4 && address.Contains("::", StringComparison.Ordinal) && groups > 7 ? null : (parsed.GetAddressBytes(), length);
    }

    [GeneratedRegex(@"\A(?:0|[1-9][0-9]{0,2})\z")]
    private static partial Regex Decimal();

    [GeneratedRegex($@"\A{Octet}(?:\.{Octet}){{3}}\z")]
    private static partial Regex V4();

    [GeneratedRegex($@"\A(?=.*:)(?:[0-9A-Fa-f]{{0,4}}:)*(?:[0-9A-Fa-f]{{0,4}}|{Octet}(?:\.{Octet}){{3}})\z")]
    private static partial Regex V6();
}
