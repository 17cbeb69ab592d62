using System.Text;
using Couic.Store;

namespace Couic.Cli.Values;

/// <summary>A network on the command line: the dialect of the API, or a bare address for its /32 or /128.</summary>
internal static class CidrArgument
{
    /// <returns>Null when the text is good, else what is wrong with it and what was expected.</returns>
    public static string? TryParse(string text, out Cidr cidr)
    {
        Span<byte> utf8 = stackalloc byte[64];
        if (Encoding.UTF8.TryGetBytes(text, utf8, out int length) && Cidr.TryParseAddress(utf8[..length], out cidr))
        {
            return null;
        }

        CidrFault fault = Cidr.TryParse(text, out cidr);
        return fault == CidrFault.None ? null : $"\"{Printable.Quote(text)}\" is no CIDR: {fault.Explain()}";
    }
}
