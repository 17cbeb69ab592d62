namespace Couic.Reporting;

/// <summary>A webhook as it may be shown: the last segment of its path, its query and its credentials are secrets.</summary>
public static class WebhookName
{
    public static string Of(Uri webhook)
    {
        string path = webhook.AbsolutePath;
        int last = path.TrimEnd('/').LastIndexOf('/');
        string shown = last >= 0 && path.Length > 1 ? path[..(last + 1)] + "…" : "/";
        return $"{webhook.Scheme}://{webhook.Authority}{shown}";
    }
}
