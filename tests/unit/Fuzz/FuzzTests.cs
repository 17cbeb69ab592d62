using System.Globalization;
using Xunit;

namespace Couic.Tests.Fuzz;

/// <summary>
/// Each parser against its corpus and mutations of it, from a new seed in every run. FUZZ_SECONDS is for each of them; without it each has a
/// number of rounds. The seed is printed, with a fault as well, and FUZZ_SEED repeats a run.
/// </summary>
public class FuzzTests(ITestOutputHelper output)
{
    [Fact]
    public void RequestHeads() => Run(new RequestHeadTarget());

    [Fact]
    public void ChunkedBodies() => Run(new ChunkedBodyTarget());

    [Fact]
    public void EntriesInJson() => Run(new EntryJsonTarget());

    [Fact]
    public void StreamsOfItems() => Run(new ItemStreamTarget());

    [Fact]
    public void JobsOfPeers() => Run(new PeerJobsTarget());

    [Fact]
    public void MessagesOfPeers() => Run(new SyncMessageTarget());

    [Fact]
    public void RecordsOfAJournal() => Run(new JournalTarget());

    [Fact]
    public void Cidrs() => Run(new CidrTarget());

    [Fact]
    public void Toml() => Run(new TomlTarget());

    [Fact]
    public void SetFiles() => Run(new SetFileTarget());

    [Fact]
    public void Objects() => Run(new ElfTarget());

    [Fact]
    public void NetlinkMessages() => Run(new NetlinkTarget());

    [Fact]
    public void BytesOfATlsClient()
    {
        using var target = new TlsTarget();
        Run(target);
    }

    [Fact]
    public void KeysOfATerminal() => Run(new KeyTarget());

    [Fact]
    public void AFindIsMadeShortAndToldWithItsSeed()
    {
        FuzzFault find = Assert.Throws<FuzzFault>(() => new Fuzzer(new Broken(), 7).Run(["a good one"u8.ToArray()], null));

        Assert.Contains("broken: the input holds an x", find.Message, StringComparison.Ordinal);
        Assert.Contains("seed 7", find.Message, StringComparison.Ordinal);
        Assert.Matches("input [0-9]+: x\n", find.Message);
        File.Delete(find.Message.Split("\nin ")[1].Split(" (copy")[0]);
    }

    private void Run(FuzzTarget target) => Run(target, output);

    internal static void Run(FuzzTarget target, ITestOutputHelper output)
    {
        int? seconds = Number("FUZZ_SECONDS");
        int seed = Number("FUZZ_SEED") ?? Random.Shared.Next();
        var fuzzer = new Fuzzer(target, seed);
        fuzzer.Run([.. Corpus.Of(target.Name), .. target.Seeds], seconds is { } s ? TimeSpan.FromSeconds(s) : null);
        output.WriteLine($"{target.Name}: {fuzzer.Inputs} inputs, {fuzzer.Outcomes} outcomes, seed {seed}");
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;

    private sealed class Broken : FuzzTarget
    {
        public override string Name => "broken";

        public override byte[][] Pieces => Words("x", "yyyy");

        public override string Check(byte[] input)
        {
            Require(!input.Contains((byte)'x'), "the input holds an x");
            return string.Empty;
        }
    }
}
