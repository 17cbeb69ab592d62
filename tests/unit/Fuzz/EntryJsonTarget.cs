using System.Text;
using System.Text.Json;
using Couic.Api.Json;
using Couic.Store;

namespace Couic.Tests.Fuzz;

/// <summary>The body of an entry: refused with a <see cref="JsonException"/> alone, else with what the framework's own document reader sees.</summary>
internal sealed class EntryJsonTarget : FuzzTarget
{
    public override string Name => "entry";

    public override byte[][] Pieces { get; } = Utf8Words(
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\udc00", "null", "true", "0", "-1", "1e3", "1.5",
        "18446744073709551615", "18446744073709551616", "\"cidr\"", "\"\\u0063idr\"", "\"tag\"", "\"expiration\"", "\"metadata\"", "\"reason\"", "\"kind\"",
        "\"detail\"", "\"extra\"", "\"1.2.3.4/32\"", "\"2001:db8::/32\"", "\"cidr\":\"1.2.3.4/24\",", "\"expiration\":0", "\"a\":{\"b\":[1,{}]},",
        " ", "\n", "\0", "é", "\ufeff", "[[[[[[[[[[[[", "//");

    public override string Check(byte[] input)
    {
        string outcome = string.Empty;
        Bounded(input, 20_000, 40, () => outcome = Read(input));
        return outcome;
    }

    private static string Read(byte[] input)
    {
        bool isPlain = EntryFastParser.TryRead(input, out EntryRequest plain);
        EntryRequest request;
        try
        {
            request = EntryRequest.ParseGeneral(input);
        }
        catch (JsonException e)
        {
            Require(!isPlain, "taken as plain, and refused otherwise");
            return e.BytePositionInLine is null ? e.Message : "syntax";
        }

        if (isPlain)
        {
            Require((plain.CidrFault, plain.Cidr) == (request.CidrFault, request.Cidr), "another cidr when read as plain");
            Require(plain.Tag.SequenceEqual(request.Tag), "another tag when read as plain");
            Require(plain.Reason.SequenceEqual(request.Reason), "another reason when read as plain");
            Require(plain.Expiration == request.Expiration, "another expiration when read as plain");
            Require(request.Metadata is null, "metadata lost when read as plain");
        }

        using JsonDocument document = JsonDocument.Parse(input, new JsonDocumentOptions { MaxDepth = 128 });
        JsonElement root = document.RootElement;
        bool isArray = root.ValueKind == JsonValueKind.Array;
        string cidr = (isArray ? root[0] : root.GetProperty("cidr")).GetString()!;
        JsonElement tag = isArray ? root[1] : root.TryGetProperty("tag", out JsonElement t) ? t : default;
        ulong expiration = (isArray ? root[2] : root.GetProperty("expiration")).GetUInt64();

        CidrFault fault = Cidr.TryParse(Encoding.UTF8.GetBytes(cidr), out Cidr expected);
        Require((fault, expected) == (request.CidrFault, request.Cidr), $"another cidr than \"{cidr}\"");
        string expectedTag = tag.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? "" : tag.GetString()!;
        Require(expectedTag == Encoding.UTF8.GetString(request.Tag), "another tag");
        Require(expiration == request.Expiration, "another expiration");
        string because = !isArray && root.TryGetProperty("reason", out JsonElement r) && r.ValueKind == JsonValueKind.String ? r.GetString()! : "";
        Require(because == Encoding.UTF8.GetString(request.Reason), "another reason");
        if (request.Metadata is { } metadata)
        {
            using JsonDocument kept = JsonDocument.Parse(metadata, new JsonDocumentOptions { MaxDepth = 128 });
            Require(kept.RootElement.ValueKind == JsonValueKind.Object, "metadata that is no object");
        }

        return $"{isPlain} {isArray} {fault} {request.Tag.Length > 0} {request.Expiration > 0} {request.Metadata is null}";
    }
}
