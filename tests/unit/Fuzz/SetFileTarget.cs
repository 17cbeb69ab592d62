using System.Text;
using Couic.Sets;
using Couic.Store;

namespace Couic.Tests.Fuzz;

/// <summary>A set file: line by line what a simple reading finds, nothing across lines, and its entries written out are read as the same.</summary>
internal sealed class SetFileTarget : FuzzTarget
{
    public override string Name => "set";

    public override byte[][] Pieces { get; } = Utf8Words(
        "192.0.2.0/24", "2001:db8::/32", "10.0.0.1/32", "0.0.0.0/0", "::/0", "#", " # note", "# reason: r", "# reason:", "\n", "\r\n", "\r", "\n\n", " ", "\t", "\v", "\f", "\0", "é",
        "\ufeff", "/33", "10.0.0.1", ",", ";", "\u001b[2J", "\u2028", "-");

    /// <summary>A file is held to more than a request: a line that was cut off is often a short prefix with host bits.</summary>
    private static CidrFault Parse(string text, out Cidr cidr)
    {
        CidrFault fault = Cidr.TryParse(Encoding.Latin1.GetBytes(text), out cidr);
        return fault == CidrFault.None && cidr.HasStrayHostBits ? CidrFault.StrayHostBits : fault;
    }

    public override string Check(byte[] input)
    {
        List<Cidr> entries = null!;
        List<SetFault> faults = null!;
        Bounded(input, 4_000, 400, () => entries = SetFile.Read(input, out faults));
        string[] lines = [.. Encoding.Latin1.GetString(input).Split('\n').Select(l => l.Trim(' ', '\t', '\r', '\v', '\f'))];
        (string Text, int Number)[] wanted = [.. lines.Select((l, i) => (l, i + 1)).Where(l => l.l.Length > 0 && l.l[0] != '#')];
        var expected = wanted.Select(w => (w.Number, Fault: Parse(w.Text, out Cidr c), Cidr: c)).ToList();

        Require(SetFile.CountLines(input) == wanted.Length, "another number of lines");
        Require(entries.SequenceEqual(expected.Where(e => e.Fault == CidrFault.None).Select(e => e.Cidr)), "other entries");
        Require(faults.Select(f => f.Line).SequenceEqual(expected.Where(e => e.Fault != CidrFault.None).Select(e => e.Number)), "faults in other lines");
        Require(faults.All(f => f.ToString().All(c => !char.IsControl(c))), "a fault that cannot be printed");
        Require((SetFile.FindBadText(input) == 0) == SetFile.IsText(input), "text or not?");

        Require(SetFile.FindFaults(input).Select(f => f.ToString()).SequenceEqual(faults.Select(f => f.ToString())), "other faults than while reading");

        byte[] written = SetFile.Format(entries.ToArray());
        Require(SetFile.Read(written, out List<SetFault> none).SequenceEqual(entries) && none.Count == 0, "written out it is another");
        return $"{Math.Min(3, entries.Count)} {Math.Min(3, faults.Count)} {faults.FirstOrDefault()?.Message} {SetFile.IsText(input)}";
    }
}
