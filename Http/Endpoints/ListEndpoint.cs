using System.Globalization;
using System.Text;
using Couic.Access;
using Couic.Http.Json;
using Couic.Http.Protocol;
using Couic.Http.Routing;
using Couic.Http.Transport;
using Couic.Store;

namespace Couic.Http.Endpoints;

/// <summary>
/// The list of a policy. It is copied and sorted away from the event loop, measured (every answer says its length), and
/// formatted piece by piece as the reader takes it; a few listings at a time, the others wait.
/// </summary>
internal sealed class ListEndpoint(ApiServices services)
{
    /// <summary>A piece is sent when it has this many bytes.</summary>
    private const int PieceBytes = 32 * 1024;

    private readonly Turns _turns = new(services.Limits.MaxListings);

    public void Register(Router router) => router.Map(Verb.Get, "/v1/{policy}", Permission.EntriesRead, ListAsync);

    private async ValueTask ListAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !TryReadFilter(exchange, out Filter filter))
        {
            return;
        }

        await exchange.LeaveLoopAsync();
        await _turns.WaitAsync();
        try
        {
            await SendAsync(exchange, policy, Select(policy, filter), filter.Details);
        }
        finally
        {
            _turns.Release();
        }
    }

    private ReadOnlyMemory<ListedEntry> Select(Policy policy, Filter filter)
    {
        ListedEntry[] rows = filter.Match is { } address ? Covering(policy, address) : services.Store.List(policy);
        ReadOnlyMemory<ListedEntry> selected = rows;
        if (filter.After is { } last)
        {
            // Also where the last one seen is gone meanwhile; covering entries come longest first.
            int next = Array.FindIndex(rows, row => filter.Match is null ? row.Cidr > last : row.Cidr.Length < last.Length);
            selected = next < 0 ? default : rows.AsMemory(next);
        }

        if (filter.Tag is { } pattern)
        {
            int kept = 0;
            foreach (ListedEntry row in selected.Span)
            {
                if (pattern.Matches(row.Tag))
                {
                    rows[kept++] = row;
                }
            }

            selected = rows.AsMemory(0, kept);
        }

        return selected[..Math.Min(selected.Length, filter.Limit)];
    }

    private ListedEntry[] Covering(Policy policy, Cidr address) =>
        [.. services.Store.Covering(policy, address).Select(e => new ListedEntry(
            e.Cidr, e.Creation, e.Expiration, e.Tag.ToArray(), e.Creator.ToArray(), e.Slot))];

    private async ValueTask SendAsync(Exchange exchange, Policy policy, ReadOnlyMemory<ListedEntry> rows, bool details)
    {
        // Counts of packets change while they are written, so these answers are made as a whole.
        var scratch = new OutputBuffer();
        long length = Measure(policy, rows.Span, details ? exchange.Answer(200) : scratch, details);
        scratch.Release();
        if (details || await exchange.BeginStreamAsync(200, length) is not { } body)
        {
            return;
        }

        body.Raw("["u8);
        for (int i = 0; i < rows.Length; i++)
        {
            WriteRow(body, policy, rows.Span[i], i, details: false);
            if (body.UnflushedBytes >= PieceBytes && (await body.FlushAsync()).IsCompleted)
            {
                break;
            }
        }

        body.Raw("]"u8);
        await body.FlushAsync();
        await body.CompleteAsync();
    }

    /// <summary>The length of the whole answer. With details it is left in the writer, else thrown away as it is made.</summary>
    private long Measure(Policy policy, ReadOnlySpan<ListedEntry> rows, System.Buffers.IBufferWriter<byte> writer, bool keep)
    {
        long length = 2;
        writer.Raw(keep ? "["u8 : ""u8);
        for (int i = 0; i < rows.Length; i++)
        {
            WriteRow(writer, policy, rows[i], i, keep);
            if (!keep)
            {
                length += ((OutputBuffer)writer).Length;
                ((OutputBuffer)writer).Clear();
            }
        }

        writer.Raw(keep ? "]"u8 : ""u8);
        return length;
    }

    private void WriteRow(System.Buffers.IBufferWriter<byte> writer, Policy policy, in ListedEntry row, int index, bool details)
    {
        writer.Raw(index == 0 ? ""u8 : ","u8);
        Entry entry = row.ToEntry();
        if (details)
        {
            EntryJson.WriteDetailed(writer, entry, services.Hits(policy, entry));
        }
        else
        {
            EntryJson.Write(writer, entry);
        }
    }

    private static bool TryReadFilter(Exchange exchange, out Filter filter)
    {
        filter = new Filter();
        Query query = exchange.Query;
        if (query.IsEmpty)
        {
            return true;
        }

        filter.Details = query.Has("details"u8, "true");
        if (query.Find("tag"u8, out string tag) > 0)
        {
            filter.Tag = new TagPattern(tag);
        }

        if (query.Find("limit"u8, out string limit) > 0)
        {
            if (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                exchange.AddFault("limit", "a number from 0 to 2147483647 is expected");
            }

            filter.Limit = number;
        }

        if (query.Find("after"u8, out string after) > 0)
        {
            CidrFault fault = Cidr.TryParse(after, out Cidr last);
            filter.After = last.Network;
            if (fault != CidrFault.None)
            {
                exchange.AddFault("after", fault.Explain());
            }
        }

        if (query.Find("match"u8, out string match) > 0)
        {
            if (!Cidr.TryParseAddress(Encoding.UTF8.GetBytes(match), out Cidr address))
            {
                exchange.AddFault("match", "not an IPv4 or IPv6 address");
            }

            filter.Match = address;
        }

        return !PathReader.Failed(exchange);
    }

    private struct Filter()
    {
        public TagPattern? Tag;
        public int Limit = int.MaxValue;
        public Cidr? After;
        public Cidr? Match;
        public bool Details;
    }
}
