using System.Buffers;
using Couic.Http.Json;
using Couic.Store;

namespace Couic.Reporting;

/// <summary>One change as it is reported.</summary>
/// <param name="IsRemoval">Else an addition or an update.</param>
/// <param name="Metadata">The request's <c>metadata</c> as JSON; null for none.</param>
internal readonly record struct Report(bool IsRemoval, Policy Policy, Entry Entry, byte[]? Metadata)
{
    private static readonly byte[] Expired = "{\"kind\":\"expired\",\"detail\":\"\",\"extra\":null}"u8.ToArray();

    /// <summary>
    /// Whether a change is reported: those made through the API of this node, and that what came in there has expired. What
    /// sets and peers did is told by those who have it.
    /// </summary>
    public static bool TryFrom(in RuleEvent change, out Report report)
    {
        bool expired = change.Origin == ChangeOrigin.Expiry;
        bool isRemoval = change.Kind is RuleEventKind.Deleted or RuleEventKind.Expired;
        report = new Report(isRemoval, change.Policy, change.Entry, expired ? Expired : change.Metadata);
        return change.Origin == ChangeOrigin.Api || (expired && change.Entry.Origin == ChangeOrigin.Api);
    }

    public void Write(IBufferWriter<byte> writer)
    {
        writer.Raw(IsRemoval ? "{\"action\":\"remove\",\"policy\":\""u8 : "{\"action\":\"add\",\"policy\":\""u8);
        writer.Raw(Policy.Utf8Name());
        writer.Raw("\",\"entry\":"u8);
        EntryJson.Write(writer, Entry);
        writer.Raw(",\"metadata\":"u8);
        writer.Raw(Metadata is null ? "null"u8 : Metadata);
        writer.Raw("}"u8);
    }
}
