from django.db import models


class Refund(models.Model):
    company = models.TextField()
    order = models.TextField()
    euros = models.IntegerField()
    approved_by = models.TextField()


class Question(models.Model):
    company = models.TextField()
    text = models.TextField()
