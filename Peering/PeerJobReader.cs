using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Reads <c>[{"action", "entry": {"cidr", "tag"?, "expiration", "metadata"?}}, …]</c>, with the members that nodes of this
/// kind add: <c>stamp</c>, <c>node</c>, <c>ttl</c> (milliseconds left) and <c>sent</c>. Unknown members are ignored, known
/// ones twice are a fault. A body is read to its end before anything is made of it.
/// </summary>
public static class PeerJobReader
{
    /// <param name="message">What is wrong and where, for people.</param>
    public static PeerBodyFault TryRead(ReadOnlyMemory<byte> body, out IncomingBatch batch, out string message)
    {
        batch = new IncomingBatch([], null);
        message = "the body is not JSON";
        var run = new PeerJobRun(body);
        try
        {
            if (!Utf8.IsValid(body.Span))
            {
                return PeerBodyFault.NotJson;
            }

            var reader = new Utf8JsonReader(body.Span);
            bool good = run.TryReadArray(ref reader);
            while (PeerJobRun.Next(ref reader))
            {
                // What is behind the first fault only has to be JSON.
            }

            message = run.Message;
            batch = run.Batch;
            return good ? PeerBodyFault.None : PeerBodyFault.Invalid;
        }
        catch (JsonException fault)
        {
            message = $"the body is not JSON: line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}";
            return PeerBodyFault.NotJson;
        }
    }
}
