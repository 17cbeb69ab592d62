using System.Buffers;
using Couic.Peering;

namespace Couic.Tests.Fuzz;

/// <summary>A batch of a peer: never an exception, and what is read comes out of its echo again, the same.</summary>
internal sealed class PeerJobsTarget : FuzzTarget
{
    public override string Name => "jobs";

    public override byte[][] Pieces { get; } = Utf8Words(
        "[", "]", "{", "}", ",", ":", "\"", "\\u0061", "\\ud800", "null", "0", "-1", "1e3", "18446744073709551615", "9223372036854775807",
        "\"action\"", "\"add\"", "\"remove\"", "\"entry\":", "\"cidr\":\"1.2.3.4/32\",", "\"cidr\":\"2001:db8::/32\",", "\"expiration\":7",
        "\"tag\":\"t\",", "\"tag\":null,", "\"reason\":\"r\",", "\"metadata\":{\"kind\":\"k\",\"detail\":\"d\"},", "\"extra\":{\"a\":[1]}", ",\"stamp\":5,\"node\":6",
        ",\"stamp\":4611686018427387904,\"node\":7", ",\"stamp\":17293822569102704641,\"node\":7", ",\"ttl\":18446744073709551615", ",\"ttl\":1500", ",\"sent\":1700000000000", "{\"action\":\"add\",\"entry\":{\"cidr\":\"10.0.0.0/8\",\"expiration\":0}}", "x.couic", "é", "\0", " ");

    public override string Check(byte[] input)
    {
        PeerBodyFault fault = default;
        IncomingBatch? batch = null;
        string message = "";
        Bounded(input, 20_000, 100, () => fault = PeerJobReader.TryRead(input, out batch, out message));
        if (fault != PeerBodyFault.None)
        {
            return message.Split("line")[0].Split("job ")[^1];
        }

        byte[] echo = Echo(batch!);
        PeerBodyFault again = PeerJobReader.TryRead(echo, out IncomingBatch second, out string said);
        Require(again == PeerBodyFault.None, $"its echo is refused: {said}");
        Require(echo.AsSpan().SequenceEqual(Echo(second)), "the echo of its echo is another");
        IncomingJob? job = batch!.Jobs.Count > 0 ? batch.Jobs[0] : null;
        return $"{Math.Min(batch.Jobs.Count, 3)} {batch.SentAt is null} {job?.IsAdd} {job?.Version is null} {job?.TimeToLive is null} {job?.Metadata is null} {job?.Tag.Length > 0}";
    }

    private static byte[] Echo(IncomingBatch batch)
    {
        var output = new ArrayBufferWriter<byte>();
        PeerJobWriter.WriteEcho(batch, output);
        return output.WrittenSpan.ToArray();
    }
}
