using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Couic.Api.Access;
using Couic.Api.Json;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// The list of a policy. It is copied and sorted away from the event loop, measured (each answer has a content length), and
/// formatted piece by piece as the reader takes it; a few lists at a time, the others are queued.
/// </summary>
internal sealed class ListEndpoint(ApiServices services)
{
    /// <summary>A piece is sent when it has this many bytes.</summary>
    private const int PieceBytes = 32 * 1024;

    /// <summary>Up to so many entries a list takes little memory, and is not limited.</summary>
    private const int LongestPage = 10_000;

    /// <summary>By <see cref="EntryOrder"/>.</summary>
    private static readonly string[] Orders = ["cidr", "creation", "expiration", "packets", "last_hit", "rate"];

    private readonly FairSemaphore _listings = new(services.Limits.MaxListings);

    /// <summary>One at a time: each is a pass over a whole table.</summary>
    private readonly FairSemaphore _rankings = new(1);

    public void Register(ApiRouter router) => router.Map(Verb.Get, "/v1/{policy}", Permission.EntriesRead, ListAsync);

    private async ValueTask ListAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !TryReadFilter(exchange, out Filter filter))
        {
            return;
        }

        if (filter.Order is not null)
        {
            await SendRankedAsync(exchange, policy, filter);
            return;
        }

        if (filter is { Match: null, Limit: <= LongestPage } && await TrySendPageAsync(exchange, policy, filter))
        {
            return;
        }

        if (!await exchange.HoldAsync(_listings))
        {
            exchange.Refuse(ParseFault.NoRoom);
            return;
        }

        try
        {
            if (!await exchange.OffloadAsync(WorkClass.Long))
            {
                return;
            }

            using EntrySnapshot listing = filter.Match is { } address ? services.Store.ListCovering(policy, address) : services.Store.List(policy);
            await SendAsync(exchange, policy, listing, Select(listing, filter), filter.Details);
        }
        finally
        {
            exchange.ReleaseHeld();
        }
    }

    /// <summary>False, and nothing is answered, when the page needs the whole list.</summary>
    private async ValueTask<bool> TrySendPageAsync(Exchange exchange, Policy policy, Filter filter)
    {
        if (!await exchange.OffloadAsync(WorkClass.Short))
        {
            return true;
        }

        using EntrySnapshot? page = services.Store.ListPage(policy, filter.After, filter.Limit, filter.Tag);
        if (page is null)
        {
            exchange.ReleaseWorker(); // a request that waits for a long list must not block those that write one
            return false;
        }

        exchange.HandlerBytes = page.Bytes;
        await SendAsync(exchange, policy, page, page.Rows, filter.Details);
        exchange.HandlerBytes = 0;
        return true;
    }

    /// <summary>The answer is computed and measured before it is sent, so a slow reader delays no other ranking.</summary>
    private async ValueTask SendRankedAsync(Exchange exchange, Policy policy, Filter filter)
    {
        if (!await exchange.HoldAsync(_rankings))
        {
            exchange.Refuse(ParseFault.NoRoom);
            return;
        }

        RankedEntry[] ranked;
        try
        {
            if (!await exchange.OffloadAsync(WorkClass.Long))
            {
                return;
            }

            ranked = services.Store.ListRanked(policy, filter.Order!.Value, filter.Reverse, Math.Min(filter.Limit, LongestPage), filter.Tag);
        }
        finally
        {
            exchange.ReleaseHeld();
        }

        exchange.HandlerBytes = ranked.Length * Unsafe.SizeOf<RankedEntry>();
        await SendAsync(exchange, ranked.Length, (body, i) => WriteRanked(body, ranked, i, filter));
        exchange.HandlerBytes = 0;
    }

    private static void WriteRanked(IBufferWriter<byte> body, RankedEntry[] ranked, int index, in Filter filter)
    {
        ref readonly RankedEntry one = ref ranked[index];
        body.Raw(index == 0 ? ""u8 : ","u8);
        if (!filter.Details)
        {
            EntryJson.Write(body, one.Entry);
        }
        else if (filter.Order == EntryOrder.Rate)
        {
            EntryJson.WriteDetailed(body, one.Entry, one.Hits, new EntryRate(one.Rate));
        }
        else
        {
            EntryJson.WriteDetailed(body, one.Entry, one.Hits);
        }
    }

    private static Memory<ListedEntry> Select(EntrySnapshot listing, Filter filter)
    {
        Memory<ListedEntry> rows = listing.Rows;
        if (filter.After is { } last)
        {
            // The last entry seen may have been deleted; covering entries are sorted longest first.
            int next = 0;
            while (next < rows.Length && !(filter.Match is null ? rows.Span[next].Cidr > last : rows.Span[next].Cidr.Length < last.Length))
            {
                next++;
            }

            rows = rows[next..];
        }

        if (filter.Tag is { } matches)
        {
            int kept = 0;
            foreach (ListedEntry row in rows.Span)
            {
                if (matches(listing.Tag(row)))
                {
                    rows.Span[kept++] = row;
                }
            }

            rows = rows[..kept];
        }

        return rows[..Math.Min(rows.Length, filter.Limit)];
    }

    private async ValueTask SendAsync(Exchange exchange, Policy policy, EntrySnapshot listing, Memory<ListedEntry> rows, bool details)
    {
        ListedDetails[]? more = details ? ReadDetails(policy, ref rows) : null;
        Memory<ListedEntry> listed = rows;
        await SendAsync(exchange, listed.Length, (body, i) => WriteRow(body, listing, listed.Span, more, i), listing);
    }

    private static async ValueTask SendAsync(Exchange exchange, int count, Action<IBufferWriter<byte>, int> writeRow, EntrySnapshot? listing = null)
    {
        if (await exchange.BeginStreamAsync(200, Measure(count, writeRow)) is not { } body)
        {
            return;
        }

        body.Raw("["u8);
        for (int i = 0; i < count; i++)
        {
            writeRow(body, i);
            if (body.UnflushedBytes >= PieceBytes && (await body.FlushAsync()).IsCompleted)
            {
                break;
            }
        }

        listing?.Dispose(); // before its client sees the end and asks for the next one, which takes the same memory
        body.Raw("]"u8);
        await body.FlushAsync();
        await body.CompleteAsync();
    }

    /// <summary>The length of the whole answer, which is formatted once for this.</summary>
    private static long Measure(int count, Action<IBufferWriter<byte>, int> writeRow)
    {
        var scratch = new OutputBuffer();
        long length = 2;
        for (int i = 0; i < count; i++)
        {
            writeRow(scratch, i);
            length += scratch.Length;
            scratch.Clear();
        }

        scratch.Release();
        return length;
    }

    private static void WriteRow(IBufferWriter<byte> writer, EntrySnapshot listing, ReadOnlySpan<ListedEntry> rows, ListedDetails[]? details, int index)
    {
        byte[] tag = listing.Tag(rows[index]), reason = listing.Reason(rows[index]);
        writer.Raw(index == 0 ? ""u8 : ","u8);
        if (details is null)
        {
            EntryJson.Write(writer, rows[index], tag, reason, listing.Claims(rows[index]));
        }
        else
        {
            EntryJson.WriteDetailed(writer, details[index].ToEntry(rows[index], tag, reason) with { Claims = listing.Claims(rows[index]) }, details[index].Hits);
        }
    }

    /// <summary>Reads the packet counts once: they change, and the answer must have the length that was measured.</summary>
    private ListedDetails[] ReadDetails(Policy policy, ref Memory<ListedEntry> rows)
    {
        var details = new ListedDetails[rows.Length];
        int kept = 0;
        foreach (ListedEntry row in rows.Span)
        {
            if (services.Store.TryGet(policy, row.Cidr, out Entry entry))
            {
                details[kept] = new ListedDetails(entry, services.Hits(policy, entry));
                rows.Span[kept++] = row;
            }
        }

        rows = rows[..kept];
        return details;
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
            filter.Tag = TagPattern.AnyOf(tag);
        }

        if (query.Find("limit"u8, out string limit) > 0)
        {
            if (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                exchange.AddFault("limit", "a number from 0 to 2147483647 is expected");
            }

            filter.Limit = number;
        }

        if (query.Find("sort"u8, out string sort) > 0)
        {
            filter.Order = Array.IndexOf(Orders, sort) is >= 0 and int order ? (EntryOrder)order : null;
            filter.Reverse = query.Has("reverse"u8, "true");
            if (filter.Order is null)
            {
                exchange.AddFault("sort", $"expected one of {string.Join(", ", Orders)}");
            }
        }

        if (query.Find("after"u8, out string after) > 0)
        {
            CidrFault fault = Cidr.TryParse(after, out Cidr last);
            filter.After = last.Network;
            if (fault != CidrFault.None)
            {
                exchange.AddFault("after", fault.Explain());
            }
            else if (filter.Order is not null)
            {
                exchange.AddFault("after", "not with sort");
            }
        }

        if (query.Find("match"u8, out string match) > 0)
        {
            if (!Cidr.TryParseAddress(Encoding.UTF8.GetBytes(match), out Cidr address))
            {
                exchange.AddFault("match", "not an IPv4 or IPv6 address");
            }

            filter.Match = address;
            if (filter.Order is not null)
            {
                exchange.AddFault("match", "not with sort");
            }
        }

        return !PathReader.Failed(exchange);
    }

    private struct Filter()
    {
        public Predicate<byte[]>? Tag;
        public int Limit = int.MaxValue;
        public Cidr? After;
        public Cidr? Match;
        public bool Details;
        public EntryOrder? Order;
        public bool Reverse;
    }
}

/// <summary>What <c>?details=true</c> adds to an entry: its creator, its packets and the time of the last one.</summary>
internal readonly struct ListedDetails(in Entry entry, EntryHits? hits)
{
    private readonly ReadOnlyMemory<byte> _creator = entry.Creator;
    private readonly ulong _packets = hits?.Packets ?? 0;
    private readonly uint _lastHit = (uint)(hits?.LastHit?.ToUnixTimeSeconds() ?? 0);
    private readonly bool _isCounted = hits is not null;

    /// <summary>Null where entries are not counted.</summary>
    public EntryHits? Hits =>
        _isCounted ? new EntryHits(_packets, _lastHit == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(_lastHit)) : null;

    public Entry ToEntry(in ListedEntry row, byte[] tag, byte[] reason) =>
        new(row.Cidr, row.Creation, row.Expiration, tag, _creator, ChangeOrigin.Api, 0) { Reason = reason };
}
