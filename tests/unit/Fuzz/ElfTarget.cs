using System.Text.RegularExpressions;
using Couic.Bpf;
using Couic.Bpf.Elf;

namespace Couic.Tests.Fuzz;

/// <summary>An object file: read, or refused with a message; never more memory than its size explains.</summary>
internal sealed partial class ElfTarget : FuzzTarget
{
    public override string Name => "elf";

    public override int Rounds => 1_500;

    public override int MaxBytes => 1 << 20;

    /// <summary>The real one, which is generated and so is in no corpus.</summary>
    public override IEnumerable<byte[]> Seeds => [XdpLoader.ReadResource().ToArray()];

    public override byte[][] Pieces { get; } =
    [
        [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0x80], [0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0], [0x40, 0, 0, 0],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], .. Words(".BTF", ".maps", "xdp", "license"),
    ];

    public override string Check(byte[] input)
    {
        string outcome = "read";
        Bounded(input, 200_000, 100, () =>
        {
            try
            {
                ObjectSpec spec = ObjectSpec.Read(input, "xdp");
                spec.Program.Link(_ => 3);
                spec.SetConstant("match_source", true);
            }
            catch (BpfException e)
            {
                Require(e.Message.StartsWith("read xdp object: ", StringComparison.Ordinal), $"a message without a place: {e.Message}");
                outcome = Varying().Replace(e.Message, "…");
            }
        });
        return outcome;
    }

    [GeneratedRegex("\"[^\"]*\"|[0-9]+")]
    private static partial Regex Varying();
}
